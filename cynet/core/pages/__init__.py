"""What pages of HTML share: how a template is filled, their colours and the parts that they are made of."""
