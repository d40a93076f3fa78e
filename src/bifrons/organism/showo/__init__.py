"""The organism as a Show-o: shape, lookup-free tokens, losses and files."""
