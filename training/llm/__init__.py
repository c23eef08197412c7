"""Labels from an LLM behind any OpenAI-compatible endpoint, hosted or local. It is never part of a bundle."""
