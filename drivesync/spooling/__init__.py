"""What waits to be pushed: ``spool`` keeps immutable snapshots on this disk until there are receipts for them."""
