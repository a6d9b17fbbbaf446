"""Training a candidate for some steps, keeping where it stands, and its weights as files.

Import the parts from their files: reports take ``atomic`` alone and should not wait for torch.
"""
