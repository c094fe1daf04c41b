"""What people look at: how a run stands, as a card, and the card as text and as HTML."""
