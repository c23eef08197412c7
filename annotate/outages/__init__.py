"""How the site goes on while a part of it is away: Redis, the database, the disk, or its log's reader."""
