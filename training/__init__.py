"""Winnow's learning library: plain Python over files and arrays, with no Django and no Celery in it."""
