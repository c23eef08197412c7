"""Texts labelled by prompt: any OpenAI-compatible endpoint, hosted or local. No bundle holds it."""
