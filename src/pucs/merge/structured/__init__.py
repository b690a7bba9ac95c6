"""Merges of files that are no programs: data, prose and lists, read as outlines and merged by what their parts are."""
