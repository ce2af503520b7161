"""One folder per outside system, implementing the domain's ports; errors of drivers stop here."""
