"""Recordings of this program to data sets that others read: BIDS."""
