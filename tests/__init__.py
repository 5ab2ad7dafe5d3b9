"""Tests of the house. Mirrors of the packages, and what no single module can promise."""
