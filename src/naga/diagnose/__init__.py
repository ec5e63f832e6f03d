"""Publishing what a run left: one page of MLflow per diagnosis, exactly one of them active."""
