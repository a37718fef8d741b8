"""Packs: the folder a service team edits, read and checked as a whole."""

from yingda.pack.reader import copy_knowledge, knowledge_files, read_knowledge, read_pack, read_training

__all__ = ["copy_knowledge", "knowledge_files", "read_knowledge", "read_pack", "read_training"]
