"""Packs: the folder a service team edits, read and checked as a whole."""

from yingda.pack.reader import knowledge_files, read_knowledge, read_pack, read_training

__all__ = ["knowledge_files", "read_knowledge", "read_pack", "read_training"]
