"""Yingda (应答): decides what a customer's message is about and writes the reply."""
