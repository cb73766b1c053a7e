"""PostgreSQL and RabbitMQ to run against: given by URL, in Docker, or private to this run.

    with find_servers(Use.TESTS) as servers:
        url = servers.postgres.new_database("orders")
        urls = servers.broker.new_vhost("orders")          # role -> AMQP URL

`python -m scripts.servers` starts a pair and prints its addresses. Import from the modules: `find` for the above,
`roles` and `management` alone need nothing but the standard library.
"""
