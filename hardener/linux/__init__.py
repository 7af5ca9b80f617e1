"""The kernel as typed functions: each raises `OSError` that names the call and the object. The only importer of ctypes."""
