"""Playbooks, catalogues and the institution's own directory: what loads them and what checks them."""
