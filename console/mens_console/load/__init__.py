"""Load on a model server: requests made and measured, the server's health and figures, and a server to try it on."""
