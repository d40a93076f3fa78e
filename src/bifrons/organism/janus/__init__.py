"""The organism as a Janus: shape, VQ model, losses and files."""
