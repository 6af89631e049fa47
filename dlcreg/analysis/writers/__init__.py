"""The formats in which poses leave: one file each."""
