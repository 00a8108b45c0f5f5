"""The figures, one file each: from numbers that others computed to a drawing."""
