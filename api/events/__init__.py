"""The resource `/events`: pages, the live stream, exports."""
