"""What every page stands in: header, navigation, theme, and how numbers and times are written."""
