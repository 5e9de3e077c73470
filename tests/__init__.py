"""Amplify's tests mirror the rooms of the house."""
