"""Chat: messages to people through an incoming webhook, as Slack and those that copy it take them."""
