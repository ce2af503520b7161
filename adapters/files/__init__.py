"""Trip files: CSV and parquet layouts of the TLC."""
