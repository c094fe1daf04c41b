"""What is wrong with a tree before darknet starts: ``check`` looks at all of it, each other module at one kind."""
