"""What the program is for, in the one sentence that the pages, the exports and the README repeat."""

INTENDED_USE = (
    "Jakwatch advises, with its reasons shown. It is not validated for diagnosis, for emergencies or for use without a"
    " clinician, and it does not replace the drug’s label or clinical judgement."
)
