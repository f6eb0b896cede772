"""Who fills the containers that grow, and where what survives was born."""
