"""The configuration: what it may say, how it is read, and where files of this installation are."""
