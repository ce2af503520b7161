"""Figures of the other pages: pure functions from the contract's types to Plotly."""
