from flask import Blueprint
screen = Blueprint("due", __name__)
