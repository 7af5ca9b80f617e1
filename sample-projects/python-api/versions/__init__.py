"""An HTTP service that orders Python versions and checks them against specifiers."""
