"""What the tests of the models need: warehouses, an account's rows, and figures to compare with."""
