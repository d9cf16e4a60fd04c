"""Forecasts series of figures in time, beside repeating the last season as yardstick."""
