"""The gateway as a program: several processes on one port, and the service manager."""
