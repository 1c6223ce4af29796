"""Audio headers in disk order: tags, technical facts, layouts."""
