"""An asset and what it says: pure values, no input or output."""
