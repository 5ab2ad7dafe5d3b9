"""What a push may say: every field of a content, and the rule it keeps."""
