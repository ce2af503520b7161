# The documents' site and the notebook.
