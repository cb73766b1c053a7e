"""PostgreSQL and RabbitMQ servers: given by URL, in Docker, or private to this run.

    with find_servers(Use.TESTS) as servers:
        url = servers.postgres.new_database("orders")
        urls = servers.broker.new_vhost("orders")          # role -> AMQP URL

`python -m scripts.servers` starts a pair and prints its URLs. `find` is the module for the calls above; `roles` and
`management` need nothing but the standard library.
"""
