"""Our models, and the code that lets the loop train any nn.Module."""
