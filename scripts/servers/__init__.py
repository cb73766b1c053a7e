"""PostgreSQL and RabbitMQ servers: given by URL, in Docker, or private to this run.

    with find_servers(Use.TESTS) as servers:
        url = servers.postgres.new_database("orders")
        urls = servers.broker.new_vhost("orders")          # user -> AMQP URL

`python -m scripts.servers` starts a pair and prints its URLs. `find` is the module for the calls above. `roles` has the
broker's users and their permissions, and `python -m scripts.servers.users` makes them.
"""
