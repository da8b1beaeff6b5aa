"""Access tokens (JWT) and the key sets that sign them."""
