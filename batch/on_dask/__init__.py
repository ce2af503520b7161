"""Training by a Dask cluster: XGBoost over the rows that its workers read themselves. The only home of dask and distributed."""
