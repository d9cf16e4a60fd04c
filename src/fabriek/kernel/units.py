"""Units: GPU time is kept in whole GPU-seconds, money in whole eurocents."""

SECONDS_PER_HOUR = 3600


def gpu_seconds(gpu_hours: int) -> int:
    return gpu_hours * SECONDS_PER_HOUR


def gpu_hours(gpu_seconds: int) -> float:
    return gpu_seconds / SECONDS_PER_HOUR
