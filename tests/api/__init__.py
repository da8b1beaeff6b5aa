"""The doors, tested through HTTP: what a client, an operator and a load balancer see."""
