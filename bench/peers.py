"""What the peers cost, as this project measured them: (queries, CPU in ms) of the nearest page.

November 2026, each peer installed and filled to a like size, 2 cores, PostgreSQL 15, one
gunicorn worker, signed in, one request at a time. Compare queries and CPU, not wall time.
"""

CONDITIONS = (
    "Peers: measured by this project in November 2026, 2 cores, PostgreSQL 15, one gunicorn "
    "worker each. ColdFront 1.1.10: 1,002 projects of 20 users, 3,006 allocations. Waldur "
    "MasterMind (October 2024, REST only): 1,000 projects, 3,000 resources, 1,000 proposals. "
    "pretalx 2025.2.2 and Hypha 2026-08: 1,000 and 500 submissions. n/m: not measured. Compare "
    "queries and CPU, not wall time."
)
NEAREST = {
    "home": "ColdFront home PI 30 / 24, admin 8 / 11",
    "cases": "ColdFront projects PI 12 / 16, admin 10 / 13",
    "case": "ColdFront project PI 49 / 35, admin 42 / 25",
    "applications": "ColdFront queue 209 / 115; pretalx list 384 / 674; Hypha n/m / 336",
    "application": "pretalx submission 29 / 73; Hypha n/m / 119",
    "allocations": "ColdFront allocations PI 31 / 37, admin 39 / 49",
    "allocation": "ColdFront allocation PI 32 / 20, admin 22 / 21",
    "report": "ColdFront center summary 11 / 7",
    "api-case": "Waldur project n/m / 16",
    "api-cases": "Waldur projects (10) 214 / 115",
    "api-100": "Waldur resources (100) 1,104 / 788; ColdFront all 3,006 n/m / 1,780",
    "export": "ColdFront API with users and attributes: fails after 32 s",
}
