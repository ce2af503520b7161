# Container images and the compose file.
