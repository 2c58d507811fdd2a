"""A Singer tap for the Amazon Appstore: sales and subscriptions into your own warehouse."""
