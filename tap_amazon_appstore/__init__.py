"""A Singer tap for the Amazon Appstore: sales, subscriptions and earnings into your own warehouse."""
